/** Which addresses belong to one peer. */

/**
 * The address itself for IPv4, also in its IPv6 form. For IPv6 the first 64 bits: a single host has all addresses below
 * them (RFC 4291, section 2.5.1), so a limit by whole addresses would limit nobody.
 */
export function networkOf(address: string): string {
  const [bare = ""] = address.toLowerCase().split("%");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1];
  if (mapped !== undefined) return mapped;
  return bare.includes(":") ? firstGroups(bare).join(":") : bare;
}

/** The first four groups of an IPv6 address, of which `::` may leave out any. */
function firstGroups(address: string): string[] {
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const last = tail === "" ? [] : tail.split(":");
    while (groups.length + last.length < 8) groups.push("0");
    groups.push(...last);
  }
  return groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ""));
}
