/** The views to choose from: a rail at the side, or a bar at the bottom of a phone. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Link, useLocation } from "wouter-preact";
import { notifyError } from "../parts/toasts.tsx";
import { IconButton } from "../parts/button.tsx";
import { Icon } from "../parts/icon.tsx";
import { settingOf } from "./address.ts";
import { asksForToken, grants, session, signOut } from "./session.ts";
import { currentTheme, toggleTheme } from "./theme.ts";
import { viewAt, views } from "./views.ts";

export function Rail(): JSX.Element {
  const [location] = useLocation();
  const current = viewAt(location);
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => showCurrent(list.current!), [current, grants.value]);
  return (
    <header class="rail">
      <Link href="/" class="brand" aria-label="Wavecache, overview">
        <Logo />
        <span class="brand-name">Wavecache</span>
      </Link>
      <nav aria-label="Views">
        <ul ref={list} class="rail-views">
          {views
            .filter(({ isFor }) => isFor(grants.value))
            .map(({ path, label, icon, view }) => (
              <li key={path} onPointerEnter={view.prepare} onFocusIn={view.prepare}>
                <Link
                  href={path}
                  class="rail-view"
                  aria-current={path === current?.path ? "page" : undefined}
                >
                  <Icon name={icon} />
                  <span>{label}</span>
                </Link>
              </li>
            ))}
        </ul>
      </nav>
      <RailFoot />
    </header>
  );
}

/** The bar of a phone has room for five views, and scrolls. It stays where it is while one moves about in it by keys. */
function showCurrent(list: HTMLElement): void {
  if (list.contains(document.activeElement)) return;
  list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

function RailFoot(): JSX.Element {
  const isDark = currentTheme() === "dark";
  const user = session.value;
  const isSignedIn = user !== undefined && user.kind !== "anonymous";
  return (
    <div class="rail-foot">
      <IconButton
        icon={isDark ? "sun" : "moon"}
        label={isDark ? "Light theme" : "Dark theme"}
        onClick={toggleTheme}
      />
      {isSignedIn ? (
        <IconButton
          icon="person"
          label={`Sign out ${user.principal}`}
          onClick={() => void signOut().catch(notifyError)}
        />
      ) : (
        <IconButton icon="person" label="Sign in" onClick={() => (asksForToken.value = true)} />
      )}
      <span class="rail-version muted figure">{settingOf("version")}</span>
    </div>
  );
}

function Logo(): JSX.Element {
  return (
    <svg class="logo" width="28" height="28" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M7 13v6M11.5 9v14M16 6v20M20.5 11v10M25 14v4" />
    </svg>
  );
}
