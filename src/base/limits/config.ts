/** Limits of the configuration. */

/** A running server that takes longer to describe itself is left out of a diagnosis bundle. */
export const diagnosisLimitMs = 10_000;
/** A changed configuration file is read once it has been left alone for this long. */
export const configSettleMs = 200;
