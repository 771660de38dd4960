/** Bundles the page ahead, into `dist/page`: `bun run build:page`. A server without `src/ui` serves it from there. */
import { projectFolder } from "../../base/project-folder.ts";
import { buildAhead, pageFolders } from "./bundle.ts";

await buildAhead(pageFolders(projectFolder));
