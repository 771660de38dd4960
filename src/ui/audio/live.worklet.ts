/** The script that plays live audio in the audio thread. */
import "../../client/live/worklet.ts";
