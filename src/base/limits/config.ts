/** Limits of the configuration. */

/** A changed configuration file is read once it has been left alone for this long. */
export const configSettleMs = 200;
