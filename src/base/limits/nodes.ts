/** Limits of what nodes do for each other. */

/** Tasks of a node that it works off in one transaction. */
export const nodeTaskPage = 200;
/** The catalog is looked at once in this time, however often other nodes say that it has changed. */
export const newsIntervalMs = 20;
