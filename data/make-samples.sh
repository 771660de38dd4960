#!/usr/bin/env bash
# Makes the sample audio of data/samples/ anew: speech by espeak-ng, music by sox, the compressed files by ffmpeg.
#
# Needs the Debian packages espeak-ng, sox and ffmpeg:
#   apt-get update && apt-get install -y espeak-ng sox ffmpeg
#
# The same versions of the three programs make the same bytes: no dither, no clock, no random serial numbers.
set -euo pipefail
cd "$(dirname "$0")/samples"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Speech: about 10 s, 16 kHz mono PCM16.
text='This is a short recording for trying out an audio cache. The quick brown fox is
asleep, so seven wise owls watch the sea instead. One, two, three, four, five.'
espeak-ng -v en-gb -s 175 -p 45 -a 110 -w "$work/voice.wav" "$text"
sox -D "$work/voice.wav" -r 16000 -c 1 -b 16 "$work/speech.wav" gain -n -3

# Music: four chords of plucked strings over soft sines, 2 s each, 44.1 kHz stereo PCM16.
chord() { # name, bass, then three notes
  local out="$work/$1.wav"
  sox -R -D -n -r 44100 -c 2 -b 24 "$work/pluck.wav" synth 2 \
    pluck "$2" pluck "$2" pluck "$3" pluck "$3" pluck "$4" pluck "$4" pluck "$5" pluck "$5" \
    delay 0 0 0.1 0.1 0.2 0.2 0.3 0.3 remix 1,3,5v0.7,7v0.5 2,4,6v0.5,8v0.7 trim 0 2 fade q 0 2 0.3 gain -n -6
  sox -R -D -n -r 44100 -c 2 -b 24 "$work/pad.wav" synth 2 sine "$3" sine "$3" sine "$4" sine "$4" \
    sine "$5" sine "$5" remix 1,3v0.6,5v0.8 2,4v0.8,6v0.6 tremolo 4 25 fade q 0.4 2 0.5 gain -n -18
  sox -D -m -v 1 "$work/pluck.wav" -v 1 "$work/pad.wav" "$out"
}
chord 1 A2 C4 E4 A4
chord 2 F2 C4 F4 A4
chord 3 C3 C4 E4 G4
chord 4 G2 B3 D4 G4
sox -R -D "$work/1.wav" "$work/2.wav" "$work/3.wav" "$work/4.wav" -r 44100 -c 2 -b 16 "$work/music.wav" \
  reverb 30 50 60 gain -n -2

# Canonical headers, and no encoder names or dates in the compressed files.
exact=(-map_metadata -1 -fflags +bitexact -flags:a +bitexact)
quiet=(-hide_banner -loglevel error -y)
ffmpeg "${quiet[@]}" -i "$work/speech.wav" -c:a pcm_s16le "${exact[@]}" speech-16k-mono.wav
ffmpeg "${quiet[@]}" -i "$work/music.wav" -c:a pcm_s16le "${exact[@]}" music-44k-stereo.wav
ffmpeg "${quiet[@]}" -i music-44k-stereo.wav -c:a libmp3lame -b:a 128k "${exact[@]}" music-44k-stereo.mp3
ffmpeg "${quiet[@]}" -i speech-16k-mono.wav -c:a libopus -b:a 24k "${exact[@]}" speech-16k-mono.opus
