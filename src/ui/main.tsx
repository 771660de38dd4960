/** The page at `/`: it talks to this server by its public HTTP API, its events and its WebSockets alone. */
import { render } from "preact";
import { App } from "./app/app.tsx";
import { applyTheme } from "./app/theme.ts";
import { signInByAddress } from "./app/session.ts";

applyTheme();
signInByAddress();
render(<App />, document.getElementById("app")!);
