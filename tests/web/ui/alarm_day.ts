// Puts the answers of a day's Standing queries through the wall's rules of alarms. Somebody quiets each alarm within the
// minute. Prints how many causes took the top of the screen, how often in all, and how many in the busiest ten minutes.

import { readFileSync } from 'node:fs';

import { alarmsOf, quietAfter, shownAt, type Quiet } from '../../../web/ui/src/wall/state/alarm-rules';

type Moment = { at: string; standing: Parameters<typeof alarmsOf>[0] };

const TEN_MINUTES = 600_000;
const moments = readFileSync(process.argv[2]!, 'utf-8').trim().split('\n').map((line) => JSON.parse(line) as Moment);
const firsts = new Map<string, number>();
let quiet: Quiet = {};
let raised = 0;
for (const { at, standing } of moments) {
  const now = Date.parse(at);
  const alarms = alarmsOf(standing, () => '');
  for (const { key } of shownAt(now, alarms, quiet)) {
    raised++;
    if (!firsts.has(key)) firsts.set(key, now);
  }
  quiet = quietAfter(now, alarms, quiet);
}
const times = [...firsts.values()];
const busiest = Math.max(0, ...times.map((from) => times.filter((time) => time >= from && time < from + TEN_MINUTES).length));
const minutes = (Date.parse(moments.at(-1)!.at) - Date.parse(moments[0]!.at)) / 60_000;
console.log(JSON.stringify({ minutes, causes: firsts.size, raised, busiest }));
