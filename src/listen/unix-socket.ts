/** Unix sockets as addresses to listen on: their host is a path, and they have no port. */
import { chmodSync, existsSync, lstatSync } from "node:fs";
import { connect } from "node:net";
import { removeFile } from "../store/layout.ts";

/** Whether a host is the path of a Unix socket. */
export function isSocketPath(host: string): boolean {
  return host.startsWith("/");
}

/** Removes the socket that a server left when it was killed. Whatever else is there, or is in use, stays. */
export async function removeStaleSocket(path: string): Promise<void> {
  if (existsSync(path) && lstatSync(path).isSocket() && !(await answers(path))) removeFile(path);
}

/** Lets the user of the server and the group of the folder connect, such as a proxy on this machine. */
export function openToGroup(path: string): void {
  chmodSync(path, 0o660);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
