/** The page at `/`: it talks to this server by its public HTTP API, its events and its WebSockets alone. */
import { render } from "preact";
import { basePath } from "./app/address.ts";
import { App } from "./app/app.tsx";
import { applyTheme } from "./app/theme.ts";
import { signInByAddress } from "./app/session.ts";
import { viewAt } from "./app/views.ts";

// Its script comes while the server says who the user is.
viewAt(location.pathname.slice(basePath.length))?.view.prepare();
applyTheme();
signInByAddress();
render(<App />, document.getElementById("app")!);
