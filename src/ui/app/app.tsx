/** The frame around the views: rail, notices, and the player, which goes on while one moves about. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { Route, Router, Switch, useLocation } from "wouter-preact";
import { currentTrack } from "../audio/player.ts";
import { PlayerBar } from "../audio/player-bar.tsx";
import { Empty } from "../parts/states.tsx";
import { Toasts } from "../parts/toasts.tsx";
import { DropTarget } from "../uploads/drop-target.tsx";
import { uploads } from "../uploads/upload-list.ts";
import { ListeningChips } from "../views/live/listening-chips.tsx";
import { basePath } from "./address.ts";
import { ConnectionBanner } from "./connection-banner.tsx";
import { Rail } from "./rail.tsx";
import { asksForToken, followSession, grants, session } from "./session.ts";
import { lazyView } from "./lazy-view.tsx";
import { SignIn } from "./sign-in.tsx";
import { useShortcuts } from "./shortcuts.ts";
import { viewAt, views } from "./views.ts";

const { component: UploadPanel } = lazyView(
  async () => (await import("../uploads/upload-panel.tsx")).UploadPanel,
);

export function App(): JSX.Element {
  useEffect(followSession, []);
  useShortcuts();
  return (
    <Router base={basePath}>
      <div class={currentTrack.value === undefined ? "shell" : "shell has-player"}>
        <a class="skip" href="#main">
          Skip to content
        </a>
        <Rail />
        <ConnectionBanner />
        <main id="main" class="content" tabIndex={-1}>
          {asksForToken.value ? <SignIn /> : session.value !== undefined && <CurrentView />}
        </main>
        {uploads.value.length > 0 && <UploadPanel />}
        <ListeningChips />
        <PlayerBar />
        <Toasts />
        <DropTarget />
      </div>
    </Router>
  );
}

function CurrentView(): JSX.Element {
  const [location] = useLocation();
  const allowed = views.filter(({ isFor }) => isFor(grants.value));
  const at = viewAt(location);
  const current = at !== undefined && allowed.includes(at) ? at : undefined;
  useEffect(() => {
    document.title = current === undefined ? "Wavecache" : `${current.label} · Wavecache`;
  }, [current]);
  return (
    <Switch>
      {allowed.map(({ path, pattern, view: { component: Current } }) => (
        <Route key={path} path={pattern}>
          <Current />
        </Route>
      ))}
      <Route>
        <Empty icon="search" title="There is nothing at this address">
          Choose a view on the rail.
        </Empty>
      </Route>
    </Switch>
  );
}
