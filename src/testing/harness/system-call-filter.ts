/**
 * SystemCallFilter and RestrictAddressFamilies of a unit of systemd as a program of BPF, which the kernel runs before each
 * system call: seccomp(2), linux/filter.h.
 */

const architectures: Partial<Record<NodeJS.Architecture, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };
const addressFamilies: Record<string, number> = { AF_UNIX: 1, AF_INET: 2, AF_INET6: 10, AF_NETLINK: 16 };
/** Of the fields of a call. */
const offsets = { number: 0, architecture: 4, firstArgument: 16 };
const [EPERM, EAFNOSUPPORT] = [1, 97];
const operations = { load: 0x20, jumpIfEqual: 0x15, return: 0x06 };
const allowed = 0x7fff0000;
const refusedWith = 0x00050000;

export interface FilterSettings {
  /** Names and sets (`@system-service`) that are allowed, but for those that are denied. */
  allow: readonly string[];
  deny: readonly string[];
  families: readonly string[];
}

/** Needs `systemd-analyze`, which knows the sets, and `gcc`, which knows the numbers. */
export function systemCallFilter({ allow, deny, families }: FilterSettings): Uint8Array {
  const numbers = numbersByName();
  const denied = namesOf(deny);
  const socket = numbers.get("socket")!;
  const calls = [...namesOf(allow)]
    .filter((name) => !denied.has(name))
    .flatMap((name) => numbers.get(name) ?? []);
  const ofSocket = [
    load(offsets.firstArgument),
    ...families.flatMap((name) => allowIf(addressFamilies[name]!)),
    refuse(EAFNOSUPPORT),
  ];
  return assembled([
    load(offsets.architecture),
    skipUnless(architectures[process.arch]!, 2),
    load(offsets.number),
    skipUnless(socket, ofSocket.length),
    ...ofSocket,
    ...calls.filter((call) => call !== socket).flatMap(allowIf),
    refuse(EPERM),
  ]);
}

type Instruction = [operation: number, ifFalse: number, value: number];

function load(offset: number): Instruction {
  return [operations.load, 0, offset];
}

/** Goes on if the loaded value is this one, and otherwise behind the next `count` instructions. */
function skipUnless(value: number, count: number): Instruction {
  return [operations.jumpIfEqual, count, value];
}

function allowIf(value: number): Instruction[] {
  return [skipUnless(value, 1), [operations.return, 0, allowed]];
}

function refuse(errno: number): Instruction {
  return [operations.return, 0, refusedWith | errno];
}

function assembled(instructions: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(8 * instructions.length);
  for (const [index, [operation, ifFalse, value]] of instructions.entries()) {
    bytes.writeUInt16LE(operation, 8 * index);
    bytes.writeUInt8(ifFalse, 8 * index + 3);
    bytes.writeUInt32LE(value, 8 * index + 4);
  }
  return bytes;
}

/** The system calls of names and sets; a set names others. */
function namesOf(words: readonly string[]): Set<string> {
  const names = new Set<string>();
  const open = [...words];
  for (let word = open.pop(); word !== undefined; word = open.pop()) {
    if (names.has(word)) continue;
    names.add(word);
    if (!word.startsWith("@")) continue;
    const { stdout } = Bun.spawnSync(["systemd-analyze", "syscall-filter", word]);
    open.push(...Array.from(stdout.toString().matchAll(/^ +(@?\w[\w-]*)$/gm), ([, name]) => name!));
  }
  return names;
}

function numbersByName(): Map<string, number> {
  const command = ["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"];
  const defined = Bun.spawnSync(command).stdout.toString();
  const found = defined.matchAll(/^#define __NR_(\w+) (\d+)$/gm);
  return new Map(Array.from(found, ([, name, number]) => [name!, Number(number)]));
}
