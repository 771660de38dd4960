import type { JSX } from "preact";
import { connection } from "./connection.ts";

const texts = {
  lost: "The server does not answer. This page continues by itself as soon as it does.",
  starting: "The server is starting. This page continues by itself as soon as it is ready.",
};

export function ConnectionBanner(): JSX.Element {
  const state = connection.value;
  return (
    <div class="banner-place" role="status" aria-live="polite">
      {state !== "connected" && (
        <p class="banner">
          <span class="banner-dot" aria-hidden="true" />
          {texts[state]}
        </p>
      )}
    </div>
  );
}
