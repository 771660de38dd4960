/** What devices play this song as, by its name (docs/devices.md); undefined for a song that is no sound of theirs. */
export function modeOf(name: string): string | undefined {
  const mode = /^mode_([1-5])\.[^./]+$/.exec(name)?.[1];
  if (mode !== undefined) return `Mode ${mode} of devices`;
  return /^startup(?:_mode)?\.[^./]+$/.test(name) ? "Start-up sound of devices" : undefined;
}
