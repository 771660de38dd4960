/** Stops the start of the program if limits contradict each other. `relation` says what holds between them. */
export function mustHold(relation: string, holds: boolean): void {
  if (!holds) throw new RangeError(`limits contradict each other, this must hold: ${relation}`);
}
