"""Streams a 16-bit WAV file in real time: python3 ingest.py FILE.wav [HWID] [HOST] [PORT]"""
import base64, os, socket, struct, sys, time, wave

path, hwid, host, port = sys.argv[1:] + ["microphone", "localhost", "5096"][len(sys.argv) - 2 :]
wav = wave.open(path, "rb")
rate, channels, samples = wav.getframerate(), wav.getnchannels(), wav.getframerate() // 50  # 20 ms
server = socket.create_connection((host, int(port)), timeout=10)


def send(message, opcode=2):  # a client must mask what it sends (RFC 6455, section 5.3)
    size, mask = len(message), os.urandom(4)
    length = struct.pack(">B", 0x80 | size) if size < 126 else struct.pack(">BH", 0x80 | 126, size)
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(message))
    server.sendall(bytes([0x80 | opcode]) + length + mask + masked)


key = base64.b64encode(os.urandom(16)).decode()
server.sendall(
    f"GET /ws/{hwid} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
)
answer = server.makefile("rb")
assert b" 101 " in answer.readline(), "no WebSocket here"
while answer.readline().strip():
    pass

send(struct.pack("<IHHIIHHHHQ", 0x41445043, 1, 32, 1, rate, channels, 0, samples, 0, int(time.time() * 1000)))
start, seq = time.monotonic(), 0
while audio := wav.readframes(samples):
    send(struct.pack("<III", 0x464D4350, len(audio), seq) + audio)
    seq += 1
    time.sleep(max(0, start + seq * 0.02 - time.monotonic()))
send(struct.pack(">H", 1000), opcode=8)
code = struct.unpack(">H", answer.read()[2:4])[0]
print(f"{seq} frames sent, the server closed with {code}")
