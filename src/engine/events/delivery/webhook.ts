/**
 * Sends events to a URL, signed after the Standard Webhooks specification (https://www.standardwebhooks.com). Redirects
 * are not followed. Any 2xx within the time limit is a delivery; everything else is a failure.
 */
import * as http from "node:http";
import * as https from "node:https";
import type { LookupFunction } from "node:net";
import { Webhook } from "standardwebhooks";
import type { AddressList } from "../../../base/address-list.ts";
import { formatTraceParent, type TraceParent } from "../../../base/request-context.ts";
import { sharedNow } from "../../../base/system/shared-clock.ts";
import type { EventRow } from "../../../store/events/outbox.ts";
import { cloudEvent } from "../cloud-event.ts";
import { type Destination, destinationOf } from "./destination.ts";

export interface WebhookSettings {
  url: string;
  /** `whsec_` and base64. */
  secret: string;
  allowed: AddressList | undefined;
  timeoutMs: number;
  /** The span of the delivery, which the receiver may continue. */
  trace?: TraceParent | undefined;
}

const contentType = "application/cloudevents+json; charset=utf-8";

/** Rejects if the receiver has not taken the event. */
export async function sendWebhook(
  { url, secret, allowed, timeoutMs, trace }: WebhookSettings,
  event: EventRow,
  signal: AbortSignal,
): Promise<void> {
  const target = new URL(url);
  const destination = await destinationOf(target.hostname, allowed);
  const body = cloudEvent(event);
  const [id, at] = [String(event.id), new Date(sharedNow())];
  const headers = {
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, at, body),
    ...(trace === undefined ? {} : { traceparent: formatTraceParent(trace) }),
  };
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const status = await post(target, destination, headers, body, deadline);
  if (status < 200 || status > 299) throw new Error(`the receiver answered ${status}`);
}

function post(
  target: URL,
  { address, family }: Destination,
  headers: http.OutgoingHttpHeaders,
  body: string,
  signal: AbortSignal,
): Promise<number> {
  const lookup: LookupFunction = (_host, options, done) => {
    if (options.all === true) done(null, [{ address, family }]);
    else done(null, address, family);
  };
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const { request } = target.protocol === "https:" ? https : http;
  const sent = request(target, { method: "POST", headers, lookup, agent: false }, (response) => {
    resolve(response.statusCode ?? 0);
    // Nobody reads the body, which may have no end.
    response.destroy();
  });
  const abort = () => {
    sent.destroy();
    reject(new Error("the receiver did not answer in time"));
  };
  sent.on("error", reject);
  signal.addEventListener("abort", abort, { once: true });
  sent.end(body);
  return promise.finally(() => signal.removeEventListener("abort", abort));
}
