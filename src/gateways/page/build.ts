/** Bundles the page ahead, into `dist/page`: `bun run build:page`. A server without `src/ui` serves it from there. */
import { join } from "node:path";
import { buildAhead, projectFolders } from "./bundle.ts";

await buildAhead(projectFolders(join(import.meta.dir, "../..")));
