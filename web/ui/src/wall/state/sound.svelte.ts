// One short tone for each new alarm, if this screen was told to. Browsers play nothing before the first touch or key,
// unless they were started for it.

const KEY = 'huhang:wall:sound';
const HERTZ = 660;
const SECONDS = 0.6;
const LOUDNESS = 0.3;

export class Sound {
  on = $state(localStorage.getItem(KEY) === 'on');
  #context: AudioContext | null = null;
  #known: Set<string> | null = null;

  toggle(): void {
    this.on = !this.on;
    localStorage.setItem(KEY, this.on ? 'on' : 'off');
    // So that whoever turns it on hears what it sounds like.
    if (this.on) this.#tone();
  }

  /** The alarms that are shown now. One that was not shown before sounds; those that the page began with do not. */
  take(alarms: { key: string; count: number }[]): void {
    const now = new Set(alarms.map(({ key, count }) => `${key} ${count}`));
    const fresh = this.#known !== null && [...now].some((each) => !this.#known!.has(each));
    this.#known = now;
    if (fresh && this.on) this.#tone();
  }

  #tone(): void {
    this.#context ??= new AudioContext();
    const { currentTime, destination } = this.#context;
    void this.#context.resume();
    const tone = new OscillatorNode(this.#context, { frequency: HERTZ });
    const loudness = new GainNode(this.#context, { gain: LOUDNESS });
    loudness.gain.setValueAtTime(LOUDNESS, currentTime + SECONDS / 2);
    loudness.gain.linearRampToValueAtTime(0, currentTime + SECONDS);
    tone.connect(loudness).connect(destination);
    tone.start();
    tone.stop(currentTime + SECONDS);
  }
}
