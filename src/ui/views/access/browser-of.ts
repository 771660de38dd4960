/** The name of a browser by what it calls itself: each calls itself several others, the most specific one first here. */
const names = [
  [/\bEdgA?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bFirefox\/|\bFxiOS\//, "Firefox"],
  [/\bHeadlessChrome\/|\bChrome\/|\bCriOS\//, "Chrome"],
  [/\bSafari\//, "Safari"],
] as const;

const systems = [
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Mac OS X/, "macOS"],
  [/Windows/, "Windows"],
  [/Linux/, "Linux"],
] as const;

/** `Firefox on Linux`; the text itself if it is that of no known browser. */
export function browserOf(agent: string): string {
  const name = names.find(([pattern]) => pattern.test(agent))?.[1];
  if (name === undefined) return agent === "" ? "unknown" : agent;
  const system = systems.find(([pattern]) => pattern.test(agent))?.[1];
  return system === undefined ? name : `${name} on ${system}`;
}
