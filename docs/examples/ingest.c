/*
 * Streams a microphone as IMA ADPCM: cc -o ingest ingest.c && ./ingest HOST PORT HWID < samples.s16le
 *
 * No heap, about 1 KiB of static memory, no library but BSD sockets (POSIX, lwIP, Zephyr). To port it, replace
 * read_samples() by a read from your microphone, and main()'s arguments by constants.
 */
#define _POSIX_C_SOURCE 200112L
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RATE = 16000, SAMPLES = 320, WS_HEADER = 8, FRAME_HEADER = 12, ADPCM_HEADER = 4 };

static const int16_t step_table[89] = {
    7,     8,     9,     10,    11,    12,    13,    14,    16,    17,    19,    21,    23,    25,   28,
    31,    34,    37,    41,    45,    50,    55,    60,    66,    73,    80,    88,    97,    107,  118,
    130,   143,   157,   173,   190,   209,   230,   253,   279,   307,   337,   371,   408,   449,  494,
    544,   598,   658,   724,   796,   876,   963,   1060,  1166,  1282,  1411,  1552,  1707,  1878, 2066,
    2272,  2499,  2749,  3024,  3327,  3660,  4026,  4428,  4871,  5358,  5894,  6484,  7132,  7845, 8630,
    9493,  10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794, 32767};
static const int8_t index_table[8] = {-1, -1, -1, -1, 2, 4, 6, 8};

static int predictor, step_index;

static void put16(uint8_t *out, uint16_t value) { out[0] = value & 255; out[1] = value >> 8; }
static void put32(uint8_t *out, uint32_t value) { put16(out, value & 65535); put16(out + 2, value >> 16); }

/* One sample to one nibble. The decoder follows the same predictor, so errors do not add up. */
static uint8_t encode_sample(int16_t sample)
{
    int step = step_table[step_index], difference = sample - predictor, change = step >> 3;
    uint8_t nibble = 0;
    if (difference < 0) { nibble = 8; difference = -difference; }
    if (difference >= step) { nibble |= 4; difference -= step; change += step; }
    if (difference >= step >> 1) { nibble |= 2; difference -= step >> 1; change += step >> 1; }
    if (difference >= step >> 2) { nibble |= 1; change += step >> 2; }
    predictor += nibble & 8 ? -change : change;
    if (predictor > 32767) predictor = 32767;
    if (predictor < -32768) predictor = -32768;
    step_index += index_table[nibble & 7];
    if (step_index < 0) step_index = 0;
    if (step_index > 88) step_index = 88;
    return nibble;
}

static int send_all(int server, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(server, bytes, length, 0);
        if (sent <= 0) return -1;
        bytes += sent;
        length -= (size_t)sent;
    }
    return 0;
}

/*
 * Masks and sends `length` bytes, which begin at buffer + WS_HEADER. Clients must mask, and must write a length below
 * 126 in its short form (RFC 6455, sections 5.2 and 5.3).
 */
static int send_message(int server, uint8_t opcode, uint8_t *buffer, uint16_t length)
{
    uint8_t *mask = buffer + WS_HEADER - 4, *start = length < 126 ? mask - 2 : mask - 4;
    start[0] = 0x80 | opcode;
    start[1] = 0x80 | (length < 126 ? length : 126);
    if (length >= 126) { start[2] = length >> 8; start[3] = length & 255; }
    for (int at = 0; at < 4; at++) mask[at] = rand() & 255;
    for (int at = 0; at < length; at++) buffer[WS_HEADER + at] ^= mask[at % 4];
    return send_all(server, start, (size_t)(buffer + WS_HEADER + length - start));
}

static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int server = -1;
    if (getaddrinfo(host, port, &hints, &found) != 0) return -1;
    for (struct addrinfo *each = found; each != NULL && server < 0; each = each->ai_next) {
        server = socket(each->ai_family, each->ai_socktype, each->ai_protocol);
        if (server >= 0 && connect(server, each->ai_addr, each->ai_addrlen) != 0) { close(server); server = -1; }
    }
    freeaddrinfo(found);
    return server;
}

/* Asks for a WebSocket and reads the answer up to its empty line; 0 if the server agrees. */
static int open_websocket(int server, const char *host, const char *hwid)
{
    char head[512];
    int length = snprintf(head, sizeof head,
        "GET /ws/%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: d2F2ZWNhY2hlLWRldmljZQ==\r\n\r\n", hwid, host);
    if (length >= (int)sizeof head || send_all(server, (uint8_t *)head, (size_t)length) != 0) return -1;
    for (length = 0; length < (int)sizeof head - 1; length++) {
        if (recv(server, head + length, 1, 0) != 1) return -1;
        if (length >= 3 && memcmp(head + length - 3, "\r\n\r\n", 4) == 0) break;
    }
    head[length] = 0;
    return strncmp(head, "HTTP/1.1 101", 12) == 0 ? 0 : -1;
}

static int send_handshake(int server, uint8_t *buffer)
{
    uint8_t *out = buffer + WS_HEADER;
    uint64_t now_ms = (uint64_t)time(NULL) * 1000;
    put32(out, 0x41445043);      /* magic */
    put16(out + 4, 1);           /* version */
    put16(out + 6, 32);          /* length of this handshake */
    put32(out + 8, 2);           /* stream id */
    put32(out + 12, RATE);
    put16(out + 16, 1);          /* channels */
    put16(out + 18, 1);          /* codec: IMA ADPCM */
    put16(out + 20, SAMPLES);    /* samples of a full frame */
    put16(out + 22, 0);
    put32(out + 24, (uint32_t)now_ms);
    put32(out + 28, (uint32_t)(now_ms >> 32));
    return send_message(server, 2, buffer, 32);
}

static int send_frame(int server, uint8_t *buffer, uint32_t seq, const int16_t *samples, int count)
{
    uint8_t *out = buffer + WS_HEADER, *nibbles = out + FRAME_HEADER + ADPCM_HEADER;
    uint32_t payload = ADPCM_HEADER + (uint32_t)(count + 1) / 2;
    put32(out, 0x41445046); /* magic */
    put32(out + 4, payload);
    put32(out + 8, seq);
    put16(out + 12, (uint16_t)predictor); /* the coder's state before this frame */
    out[14] = (uint8_t)step_index;
    out[15] = 0;
    for (int at = 0; at < count; at += 2) {
        uint8_t low = encode_sample(samples[at]);
        uint8_t high = encode_sample(at + 1 < count ? samples[at + 1] : samples[at]);
        nibbles[at / 2] = low | (uint8_t)(high << 4); /* the earlier sample in the low half */
    }
    return send_message(server, 2, buffer, (uint16_t)(FRAME_HEADER + payload));
}

/* Your microphone: fills `samples` and returns how many there are, 0 at the end. */
static int read_samples(int16_t *samples) { return (int)fread(samples, 2, SAMPLES, stdin); }

int main(int argc, char **argv)
{
    static uint8_t buffer[WS_HEADER + FRAME_HEADER + ADPCM_HEADER + SAMPLES / 2];
    static int16_t samples[SAMPLES];
    uint32_t seq = 0;
    if (argc != 4) { fprintf(stderr, "usage: %s HOST PORT HWID < samples.s16le\n", argv[0]); return 2; }
    srand((unsigned)time(NULL));
    int server = connect_to(argv[1], argv[2]);
    if (server < 0 || open_websocket(server, argv[1], argv[3]) != 0 || send_handshake(server, buffer) != 0) {
        fprintf(stderr, "cannot reach the server\n");
        return 1;
    }
    for (int count; (count = read_samples(samples)) > 0; seq++) {
        if (send_frame(server, buffer, seq, samples, count) != 0) { fprintf(stderr, "connection lost\n"); return 1; }
    }
    buffer[WS_HEADER] = 1000 >> 8; /* close normally */
    buffer[WS_HEADER + 1] = 1000 & 255;
    send_message(server, 8, buffer, 2);
    while (recv(server, buffer, sizeof buffer, 0) > 0) continue; /* until the server has closed as well */
    close(server);
    printf("%u frames sent\n", (unsigned)seq);
    return 0;
}
