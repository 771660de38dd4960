/** Limits of the messages between nodes. */
import { playAnswerMs } from "./devices.ts";
import { mustHold } from "./relation.ts";
import { KiB, MiB } from "./units.ts";

/** A connection to the message server that is lost is tried again at this interval. */
export const busReconnectMs = 500;
/** A message server that has not accepted a connection by then has failed; the next try follows. */
export const busConnectTimeoutMs = 5_000;
/** Interval of pings; a connection with two unanswered ones is lost. */
export const busPingMs = 2_000;
export const busUnansweredPings = 2;
/** Messages that the message server has not taken yet; above this further ones are dropped, and live audio is skipped. */
export const maxBusBacklogBytes = 8 * MiB;
/** Audio in one message; longer pieces are sent as several. NATS accepts 1 MiB by default. */
export const maxBusAudioBytes = 256 * KiB;
/** Another node that has not answered a request by then counts as unreachable. */
export const busAnswerMs = 2_000;
/** As that, for a command to a device: a sound is played before its device has answered, or found not to play. */
export const deviceCommandMs = playAnswerMs + 1_000;
/** A node that listens to a recording of another says so again at this interval. */
export const listenRenewalMs = 2_000;
/** A recording at a node that does not answer for this long ends its listeners with NODE_UNREACHABLE. */
export const remoteAbsenceMs = 6_000;
/** A node stops to send audio to one that has not renewed its listening for this long. */
export const listenLeaseMs = 10_000;
/** Other nodes that listen to one recording; one more is refused with LISTENERS_EXHAUSTED. */
export const maxRemoteListeners = 256;
/** Recordings at other nodes that this one listens to; one more is refused with LISTENERS_EXHAUSTED. */
export const maxRemoteRecordings = 1_024;
/** Lists of levels of other nodes; above this the one that was heard of longest ago is forgotten. */
export const maxLevelLists = 256;
/** Devices in one message to other nodes, about 300 bytes each. */
export const sharedDevicesAtOnce = 200;
/** A list of devices is answered after this long, with a note, if another node has not sent its devices by then. */
export const devicesAnswerMs = 1_000;
/** Other nodes that are known to live; above this the one that was found first is forgotten until its next keepalive. */
export const maxPresentNodes = 1_024;
/** Audio of an upload in one answer to a node that follows it. */
export const maxFollowedBytes = 512 * KiB;
/** A reader of an upload at another node waits this long for what the other node has; then it gets what is here. */
export const followPullMs = 2_000;
/** Uploads of other nodes that are followed; one more is refused with FETCHES_EXHAUSTED. */
export const maxFollowedUploads = 64;
/** What came of a followed upload is removed once nobody has read it for this long. */
export const followedIdleMs = 10_000;
/** Reads of other nodes that are served at the same time; one more is refused with FETCHES_EXHAUSTED. */
export const maxServedReads = 64;
/** Characters of the prefix of subjects. */
export const maxBusPrefixChars = 64;

mustHold(
  "a node renews its listening before it has expired",
  listenLeaseMs > 2 * listenRenewalMs + busAnswerMs,
);
mustHold(
  "one answer may be lost before a node counts as gone",
  remoteAbsenceMs >= 2 * listenRenewalMs + busAnswerMs,
);
