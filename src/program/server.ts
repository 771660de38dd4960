/** The entry of `bun run server`: the server, and the commands beside it. */
import { runServer } from "./run.ts";

await runServer(process.argv.slice(2));
