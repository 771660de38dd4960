/**
 * Every limit of the server, with its unit in its name. The ones a user may change are the defaults of
 * `config.ts`; the rest are fixed. What happens at a limit is an error of `errors.ts`, or the pause of a socket.
 */

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** Defaults of limits that flags change. */
export const defaultMaxStreamBytes = 4 * GiB;
export const defaultMaxCacheBytes = 8 * GiB;
export const defaultMaxConnections = 4096;
export const defaultIncompleteTtlSeconds = 24 * 3600;

/** Stream ids: 1 to this many characters. */
export const maxStreamIdChars = 128;

/** Unfinished streams that one connection may hold open. */
export const maxStreamsPerConnection = 16;

/** A binary frame of an upload; a longer one closes the connection with 1009. */
export const maxFrameBytes = 16 * MiB;

/** A control message, in UTF-16 units; a longer one is answered with an error. */
export const maxControlChars = 64 * KiB;

/** Room for what may be on its way to one peer: the reads that were under way when it stopped reading. */
export const webSocketBufferBytes = 64 * MiB;

/** What one GET may answer with. */
export const maxReadBytes = 16 * MiB;
/** What a GET asks for when it does not say. */
export const defaultReadBytes = 64 * KiB;

/** Requests of one connection that wait for an answer; at this number its socket is paused. */
export const maxWaitingRequests = 1024;
/**
 * After a pause what the kernel had already delivered still arrives. Past this number of waiting requests the
 * connection is closed, because no well-behaved peer gets here.
 */
export const maxWaitingRequestsPaused = 16 * maxWaitingRequests;

/** Reads of one connection under way at once: their bytes (one read is always allowed). */
export const readAheadBytes = 512 * KiB;
/** Bytes on their way out over all connections; past it new reads wait. */
export const maxOutboundBytes = 256 * MiB;

/** A peer that has answers waiting and takes none of them for this long is closed. */
export const stallTimeoutMs = 60_000;
/** A connection that sends nothing for this long is closed (the most that Bun allows). */
export const idleTimeoutSeconds = 960;

/** Ring from the main thread to a writer: audio on its way to disk. A power of two. */
export const writeRingBytes = 4 * MiB;
/** Ring from the main thread to a reader: requests. A power of two. */
export const readRequestRingBytes = 256 * KiB;
/** Ring from a reader to the main thread: audio on its way out. A power of two. */
export const readDataRingBytes = 4 * MiB;
/** Ring from a writer to the main thread: results. A power of two. */
export const writeResultRingBytes = 256 * KiB;

/** A read longer than this crosses the lane in slices, so that no read can fill it. */
export const readSliceBytes = 256 * KiB;
/** Frames of one stream are joined in the ring up to this size, so that a worker hashes and writes them at once. */
export const maxExtentBytes = 256 * KiB;
/** An upload's bytes that may be in its file and not yet on the disk before they are sent there while it goes on. */
export const flushBytes = 32 * MiB;
/** At this many the upload is held until the disk has taken some: what STOP has to wait for stays bounded. */
export const maxUnflushedBytes = 4 * flushBytes;
/** Uploads whose files are forced to the disk one by one; more of them with their whole file system, where that can be. */
export const maxFilesSyncedSingly = 4;
/** Unpublished bytes past which the main thread publishes before its batch is over. */
export const publishBytes = 256 * KiB;

/** Files that one reader keeps open or mapped. */
export const maxOpenFilesPerReader = 128;
/** Files that the main thread keeps mapped besides: as many as streams are likely to be read at once. */
export const maxResidentFiles = 1024;
/** Streams whose catalog entry the main thread remembers. */
export const maxKnownStreams = 4096;

/** Streams in one page of a listing. */
export const maxListedStreams = 1000;

/** A frame of live ingest with its header; a longer one closes the connection. */
export const maxIngestFrameBytes = 1 * MiB;
/** Half the most that a recording's frames, or its samples, take in memory; past it they are written before their time. */
export const recordingFlushBytes = 64 * KiB;
/** How old they may become, with `recordingTickMs` on top: a crash costs no more than that. */
export const recordingFlushMs = 500;
/** How often a writer looks for what is due. */
export const recordingTickMs = 100;
/** How long frames wait for their nibble order to be found. */
export const nibbleHoldMs = 400;
/** A recording goes on in new files at this size, whatever its time: a WAV file cannot hold 4 GiB. */
export const maxSegmentBytes = 2 * GiB;
/** Silence for one gap of lost frames, at most. */
export const maxFilledMs = 10_000;
export const maxFilledBytes = 1 * MiB;
/** What a live listener hears first: the time just before. */
export const liveHistoryMs = 200;
export const maxLiveHistoryBytes = 64 * KiB;
/** Audio on its way to one live listener; what comes on top of it is skipped. */
export const liveBufferMs = 2_000;
export const maxLiveBufferBytes = 512 * KiB;
/** Live listeners to all recordings together. */
export const maxLiveListeners = 1024;
/** Closed segments that wait for their catalog entry; the oldest beyond that are left to the next start. */
export const maxUnenteredSegments = 100_000;
/** Recordings in one page of a listing. */
export const maxListedRecordings = 1000;

/** Songs over TLS: connections at once, in all and of one address. */
export const maxSongTlsConnections = 512;
export const maxSongTlsConnectionsPerAddress = 64;
/** What is read of a song at once; one that is sent takes at most twice that in memory. */
export const songReadBytes = 256 * KiB;
/** What may come behind the name of a song. */
export const maxSongSurplusBytes = 64 * KiB;
/** How long a connection may take for its handshake and the name of a song. */
export const songNameTimeoutMs = 5_000;
/** A connection that takes nothing of its song for this long is closed. A player takes it no faster than it plays. */
export const songStallTimeoutMs = 180_000;
/** How long a peer that has got its song may leave the connection open. */
export const songLingerMs = 5_000;

/** A file with a certificate or a key. */
export const maxCertificateFileBytes = 1 * MiB;
/** How often the files of the certificate are looked at, beside the watching of their folders. */
export const certificateCheckMs = 30_000;
/** How long their folders must be quiet before they are read: a certificate and its key are not written at once. */
export const certificateSettleMs = 300;
/** How long a self-signed certificate holds (Apple's systems take none that holds longer), and when it is renewed. */
export const selfSignedDays = 825;
export const selfSignedRenewalDays = 30;

/** Device ids: 1 to this many characters. */
export const maxDeviceIdChars = 128;
/** Devices connected at once. */
export const maxConnectedDevices = 4096;
/** Devices whose state is kept; past it the one that has been away for longest is forgotten. */
export const maxRememberedDevices = 16_384;
/** Streams of devices open at once, those on their way out too. */
export const maxDeviceStreams = 4 * maxConnectedDevices;
/** A message of a device: the longest that means something has less than 100 bytes. */
export const maxDeviceMessageBytes = 4 * KiB;
/** Events of one device, and answers of it: so many at once, and so many a second after that. */
export const deviceMessageBurst = 200;
export const deviceMessagesPerSecond = 50;
/** How long a device may take to answer a request before the next one goes out all the same. */
export const deviceAnswerMs = 2_000;
/** How long a sound waits for the device to open its audio stream. */
export const deviceAudioWaitMs = 10_000;
/** When a device is first asked what it shows, and how often after that. */
export const deviceFirstGetMs = 2_000;
export const deviceGetMs = 30_000;
/** How soon a change of a device's state is in the catalog. */
export const deviceSaveMs = 200;
/** How often the connection of a silent device is tried, and how long it may take to answer. */
export const deviceKeepaliveMs = 10_000;
export const deviceKeepaliveTimeoutMs = 10_000;
/** A connection without a stream is closed after this long. */
export const deviceIdleMs = 60_000;
/** Devices in one page of a listing. */
export const maxListedDevices = 1000;
/** The name of a song, in UTF-8. */
export const maxSongNameBytes = 1024;
/** Files of the library that are listed, and folders within folders; what lies beyond can still be asked for by name. */
export const maxLibraryFiles = 100_000;
export const maxLibraryDepth = 32;
/** How old the list of the library's files may become where changes are noticed by themselves, and where they are not. */
export const watchedLibraryMs = 30_000;
export const unwatchedLibraryMs = 2_000;
/** Files whose type, duration or SHA-256 is remembered. */
export const maxKnownSongs = 10_000;
/** Songs in one page of a listing, and those looked into at once for their type and duration. */
export const maxListedSongs = 1000;
export const maxSongsInspected = 4;
/** A file may be read to its end for its duration, as MP3 without a header of its own needs, up to this size. */
export const maxScannedSongBytes = 256 * MiB;
/** What is read at once while a file is looked into. */
export const inspectBytes = 64 * KiB;
/** A sound for devices: its length. */
export const maxSoundMs = 3_600_000;
/** A packet of an Ogg file; the tags are one, and may hold a picture. */
export const maxOggPacketBytes = 16 * MiB;
/** Sounds in memory, those that play among them. */
export const maxSounds = 64;
/** Their packets; past it those that nobody plays are let go, the longest unused first. */
export const maxSoundBytes = 128 * MiB;
/** What a packet in memory takes beside its bytes: its view, and its place in a list. */
export const soundPacketOverheadBytes = 128;
/** Sounds in the cache folder; past it the longest unused go. */
export const maxSoundCacheBytes = 512 * MiB;
/** Sounds that are encoded at once; more wait for their turn. */
export const maxEncodings = 8;
/** How long a sound that nobody waits for any more is still encoded: what is short is done by then. */
export const soundAbandonMs = 1_000;
/** An encoding thread that says nothing for this long though it has work hangs, and is replaced. */
export const encoderSilenceMs = 30_000;

/** Protocol v1. Audio in one data message, at the most. */
export const maxDataBytes = 256 * KiB;
/**
 * And usually: it fills, with its heads, one segment as TCP hands it down, which is 64 KiB with the heads of TCP and IP.
 * What has a little more begins a second one. Where TCP paces segments by timers (BBR), that took a bare sender on one
 * connection 2.7 times the processor time for messages of 64 KiB, and 1.6 times for those of 256 KiB.
 */
export const usualDataBytes = 63 * KiB;
/** What one stream may send before it is another's turn: a few messages, which a server can write as one. */
export const streamTurnBytes = 4 * usualDataBytes;
/** Any message of v1 as a whole; a longer one closes the connection with 1009. */
export const maxMessageBytes = maxDataBytes + 1 * KiB;
/** Channels of one connection that are open at once, and the highest number that one may have. */
export const maxChannels = 1024;
export const maxChannelNumber = 65_535;
/** Credit that one side may have with the other, for a channel or for the connection. */
export const maxCreditBytes = 1 * GiB;
/** Credit to begin with: of a connection, of each channel. */
export const initialConnectionCreditBytes = 16 * MiB;
export const initialChannelCreditBytes = usualDataBytes;
/** What the channels of one connection may have on their way to one receiver together, and one of them at the most. */
export const receiveBudgetBytes = 32 * MiB;
export const maxChannelWindowBytes = 16 * usualDataBytes;
/** The same of all connections together, beyond what every channel has to begin with. */
export const totalReceiveBudgetBytes = 256 * MiB;
/** What one connection sends before others have their turn. */
export const connectionTurnBytes = 1 * MiB;
/** Short messages that a peer leaves untaken; past it the connection is closed. */
export const maxUnreadAnswerBytes = 4 * MiB;
/** Questions of one connection that are worked on at once; the others wait for their turn. */
export const maxQuestionsAtOnce = 4;
/** How long peers may take to finish what they have begun when the server goes. */
export const goodbyeMs = 3_000;
/** How often an upload that comes on is acknowledged, at least. */
export const ackIntervalMs = 500;
/** How often those who follow an upload hear how far it is. */
export const followIntervalMs = 50;
/** A connection of v1 on which nothing comes for this long is closed; peers ping when a third of it is over. */
export const messageIdleTimeoutMs = 60_000;
/** Streams in one page of a listing over v1. */
export const maxListedOnChannel = 256;
/** Texts of v1, in UTF-16 units: a program's name, the parts of an error, the MIME type and codec of audio. */
export const maxPeerNameChars = 128;
export const maxErrorTextChars = 1024;
export const maxContentTypeChars = 128;
export const maxCodecNameChars = 32;
/** Tags of a stream, and their characters: in UTF-16 units, of all keys and values together. */
export const maxTags = 32;
export const maxTagKeyChars = 64;
export const maxTagValueChars = 512;
export const maxTagsChars = 4096;
/** Highest sample rate and channel count that the description of a stream's audio may name. */
export const maxDescribedSampleRate = 768_000;
export const maxDescribedChannels = 32;

/**
 * What one transfer over UDP sends at most, in megabits a second. A plain client's receive buffer holds 90 datagrams,
 * which is 74 ms of this pace. That is what it is chosen by: on loopback 240 Mbit/s went through without loss, and at
 * every pace all that was lost was lost while the client had no processor for longer than its buffer lasts.
 */
export const defaultUdpRateMbps = 10;
/** How many times that a reliable transfer may send: it notices what is lost, and gives way. */
export const reliableRateFactor = 10;
/** What all transfers over UDP send together. */
export const maxUdpTotalMbps = 1000;
/** Transfers over UDP at once, to one address and in all. */
export const maxUdpTransfersPerAddress = 64;
export const maxUdpTransfers = 256;
/** Datagrams sent at once to one client: at least so many where there are, so that few calls send many; and at most. */
export const udpBurstDatagrams = 8;
export const maxUdpBurstDatagrams = 32;
/** What is read at once of a song that is sent over UDP; two such reads are in memory. */
export const udpReadBytes = 64 * KiB;
/** How long the proof of an address holds, at least. */
export const udpTokenMs = 10_000;
/** Reliable UDP: how far ahead of what the client has may be sent, in blocks. */
export const reliableWindowBlocks = 4096;
/** The rate to begin with, and the one that no loss goes below, in megabits a second. */
export const reliableStartMbps = 10;
export const reliableFloorMbps = 2;
/** A client that says nothing for this long is gone; one that has everything, or was told of an error, for this long. */
export const reliableIdleMs = 5_000;
export const reliableLingerMs = 1_000;

/** How long a shutdown waits for acknowledgements and unsent answers. */
export const shutdownGraceMs = 8_000;

const powersOfTwo = {
  writeRingBytes,
  readRequestRingBytes,
  readDataRingBytes,
  writeResultRingBytes,
};
for (const [name, bytes] of Object.entries(powersOfTwo)) {
  if ((bytes & (bytes - 1)) !== 0) throw new RangeError(`${name} is not a power of two`);
}
if (readSliceBytes > readDataRingBytes / 4) throw new RangeError("a read slice must leave room in its ring");
if (maxIngestFrameBytes > writeRingBytes / 4) throw new RangeError("a frame must leave room in its ring");
if (maxRememberedDevices < 2 * maxConnectedDevices)
  throw new RangeError("devices must not displace each other");
if (maxExtentBytes > writeRingBytes / 4) throw new RangeError("an extent must leave room in its ring");
if (maxChannelWindowBytes % usualDataBytes !== 0) throw new RangeError("a window is whole messages");
if (initialChannelCreditBytes * maxChannels > 2 * receiveBudgetBytes) {
  throw new RangeError("the first credit of all channels must not go far beyond the budget of a connection");
}
