/**
 * `bun run bench:micro [--quick] [NAME...]`: runs the small benches in sequence, each in its own process, so that the
 * compiler's profile of one bench does not affect the next.
 */
const names = ["ring", "messages", "frames", "v1", "adpcm", "store", "access", "tracing"];

const args = process.argv.slice(2);
const wanted = args.filter((arg) => arg !== "--quick");
const flags = args.filter((arg) => arg === "--quick");
const unknown = wanted.find((name) => !names.includes(name));
if (unknown !== undefined) {
  process.stderr.write(
    `error: unknown argument "${unknown}" (use --quick and any of: ${names.join(", ")})\n`,
  );
  process.exit(2);
}
for (const name of wanted.length > 0 ? wanted : names) {
  const command = [process.execPath, `${import.meta.dir}/${name}.ts`, ...flags];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "inherit", stderr: "inherit" });
  if ((await child.exited) !== 0) {
    process.stderr.write(`error: the bench "${name}" failed\n`);
    process.exit(1);
  }
  process.stdout.write("\n");
}
