/** An accepting thread: does the work of sockets for the main thread, and hands whole messages to and fro. */
import type { AcceptStart } from "../src/lane/accept-tasks.ts";
import { AcceptJobs } from "./jobs/acceptor.ts";
import { onLaneStart } from "./thread.ts";

onLaneStart<AcceptStart>((start) => void new AcceptJobs(start));
