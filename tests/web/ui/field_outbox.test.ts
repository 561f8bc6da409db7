// The outbox by itself: a store in memory, a server that loses answers, and a phone that dies at any moment.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HOLD, isBehind, isPending, occurredAt, type Action, type NewAction } from '../../../web/ui/src/field/outbox/action';
import { backoff } from '../../../web/ui/src/field/outbox/backoff';
import { Outbox, type ActionStore, type Outcome, type Person } from '../../../web/ui/src/field/outbox/outbox';
import { toTask } from '../../../web/ui/src/field/state/tasks';

const ZHOU: Person = { account: 1, name: '周立明' };
const SHEN: Person = { account: 2, name: '沈晓岚' };
const REFUSAL = { reason: 'LATE', message: 'no', fields: [], at: 0 };

/** A generator of numbers from 0 to 1 that a seed determines (mulberry32). */
function generator(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The state that survives the death of the app, and a clock and a lock that all tabs share. */
class Phone {
  now = 1_000_000;
  person: Person | null = ZHOU;
  actions: Action[] = [];
  timers: { at: number; act: () => void }[] = [];
  send: (action: Action) => Promise<Outcome> = async () => ({ type: 'done', at: this.now });
  #order = 0;
  #ids = 0;
  #turn: Promise<unknown> = Promise.resolve();

  store: ActionStore = {
    all: async () => structuredClone(this.actions),
    add: async (action) => {
      const added = { ...structuredClone(action), order: ++this.#order };
      this.actions.push(added);
      return added;
    },
    change: async (id, change) => {
      const index = this.actions.findIndex((action) => action.id === id);
      const next = index < 0 ? undefined : change(structuredClone(this.actions[index]!));
      if (next === null) this.actions.splice(index, 1);
      else if (next) this.actions[index] = next;
      return next;
    },
  };

  /** The app, opened. */
  open(random: () => number = () => 0.5, life = new Life()): Outbox {
    const alive = <T>(work: Promise<T>): Promise<T> => work.then((value) => (life.dead ? new Promise<T>(() => {}) : value));
    return new Outbox({
      store: {
        all: () => alive(this.store.all()),
        add: (action) => alive(this.store.add(action)),
        change: (id, change) => (life.dead ? new Promise(() => {}) : alive(this.store.change(id, change))),
      },
      sender: { send: (action) => alive(this.send(action)) },
      lock: (work) => {
        // A dead tab gives its lock back.
        const mine = this.#turn.then(() => Promise.race([work(), life.ended]));
        this.#turn = mine.catch(() => {});
        return mine as ReturnType<typeof work>;
      },
      now: () => this.now,
      random,
      newId: () => `id-${++this.#ids}`,
      later: (milliseconds, act) => {
        const timer = { at: this.now + milliseconds, act: () => life.dead || act() };
        this.timers.push(timer);
        return () => void (this.timers = this.timers.filter((each) => each !== timer));
      },
      person: () => this.person,
      ahead: () => null,
      changed: () => {},
    });
  }

  /** Let time pass, and everything happen that is due. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    await settle();
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.now = Math.max(this.now, next.at);
      next.act();
      await settle();
    }
    this.now = end;
  }
}

/** A tab of the app. What it does after its end never happens. */
class Life {
  dead = false;
  end: () => void = () => {};
  ended = new Promise<void>((resolve) => {
    this.end = () => {
      this.dead = true;
      resolve();
    };
  });
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function act(subject: string, undoable = false): NewAction {
  return { kind: 'arrive', subject, place: '东港机械一厂', input: { inspection: subject }, photos: [], undoable };
}

const statuses = (phone: Phone): string[] => phone.actions.map(({ status }) => status);

test('an action is sent once, and only then shown as sent', async () => {
  const phone = new Phone();
  const sent: string[] = [];
  phone.send = async (action) => (sent.push(action.id), { type: 'done', at: 42 });
  await phone.open().add(act('a'));
  await phone.pass(0);
  assert.deepEqual(sent, ['id-1']);
  assert.deepEqual(statuses(phone), ['sent']);
  assert.equal(phone.actions[0]!.sentAt, 42);
});

test('a tap waits for ten seconds and can be undone until then, also after the app was opened again', async () => {
  const phone = new Phone();
  const sent: string[] = [];
  phone.send = async (action) => (sent.push(action.id), { type: 'done', at: 0 });
  const first = await phone.open().add(act('a', true));
  await phone.pass(HOLD - 1);
  assert.deepEqual(sent, []);
  const outbox = phone.open();
  assert.equal(await outbox.undo(first.id), true);
  assert.deepEqual(phone.actions, []);
  const second = await outbox.add(act('b', true));
  await phone.pass(HOLD);
  assert.deepEqual(sent, [second.id]);
  assert.equal(await outbox.undo(second.id), false);
});

test('a form sends the taps before it at once, in their order', async () => {
  const phone = new Phone();
  const sent: string[] = [];
  phone.send = async (action) => (sent.push(action.id), { type: 'done', at: 0 });
  const outbox = phone.open();
  await outbox.add(act('a', true));
  await outbox.add(act('a', false));
  await phone.pass(0);
  assert.deepEqual(sent, ['id-1', 'id-2']);
});

test('what is refused is set aside with its reason, and only later steps of the same subject wait for it', async () => {
  const phone = new Phone();
  const sent: string[] = [];
  let refuses = true;
  phone.send = async (action) => {
    sent.push(action.id);
    return action.id === 'id-1' && refuses ? { type: 'refused', refusal: REFUSAL } : { type: 'done', at: 0 };
  };
  const outbox = phone.open();
  for (const subject of ['a', 'a', 'b']) await outbox.add(act(subject));
  await phone.pass(0);
  assert.deepEqual(sent, ['id-1', 'id-3']);
  assert.deepEqual(statuses(phone), ['refused', 'waiting', 'sent']);
  assert.deepEqual(phone.actions[0]!.refusal, REFUSAL);
  assert.equal(isBehind(phone.actions[1]!, phone.actions), true);
  refuses = false;
  await outbox.resend('id-1', { corrected: true });
  await phone.pass(0);
  assert.deepEqual(sent, ['id-1', 'id-3', 'id-1', 'id-2']);
  assert.deepEqual(phone.actions[0]!.input, { corrected: true });
});

test('what waited for a refused step is sent when a person puts that step away', async () => {
  const phone = new Phone();
  phone.send = async (action) => (action.id === 'id-1' ? { type: 'refused', refusal: REFUSAL } : { type: 'done', at: 0 });
  const outbox = phone.open();
  await outbox.add(act('a'));
  await outbox.add(act('a'));
  await phone.pass(0);
  await outbox.putAway('id-1');
  await phone.pass(0);
  assert.deepEqual(statuses(phone), ['closed', 'sent']);
});

test('an action is sent as the person who tapped, and as nobody else', async () => {
  const phone = new Phone();
  const sent: [number, number | undefined][] = [];
  phone.send = async (action) => {
    sent.push([action.account, phone.person?.account]);
    return phone.person?.account === action.account ? { type: 'done', at: 0 } : { type: 'paused', pause: 'OTHER_PERSON' };
  };
  const outbox = phone.open();
  phone.send = async () => ({ type: 'again' });
  await outbox.add(act('a'));
  await phone.pass(0);
  phone.send = async (action) => (sent.push([action.account, phone.person?.account]), { type: 'done', at: 0 });
  phone.person = SHEN;
  await outbox.add(act('b'));
  await phone.pass(120_000);
  assert.deepEqual(sent, [[2, 2]]);
  phone.person = ZHOU;
  outbox.wake();
  await phone.pass(0);
  assert.deepEqual(sent, [[2, 2], [1, 1]]);
});

test('without an answer it tries again, later each time and at most a minute later, and at once when woken', async () => {
  const phone = new Phone();
  const tries: number[] = [];
  phone.send = async () => (tries.push(phone.now), { type: 'again' });
  const outbox = phone.open(() => 0);
  await outbox.add(act('a'));
  await phone.pass(300_000);
  const waits = tries.slice(1).map((at, index) => at - tries[index]!);
  assert.deepEqual(waits.slice(0, 8), [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  assert.equal(outbox.nextAttempt, tries.at(-1)! + 60_000);
  outbox.wake();
  await phone.pass(0);
  assert.equal(tries.at(-1), phone.now);
});

test('a wait is shortened at random by up to half, and never below what the server asked for', () => {
  assert.equal(backoff(3, () => 1), 2000);
  assert.equal(backoff(3, () => 0), 4000);
  assert.equal(backoff(1, () => 0, 30_000), 30_000);
});

test('an action at which the server fails again and again does not stop the others for ever', async () => {
  const phone = new Phone();
  phone.send = async (action) => (action.id === 'id-1' ? { type: 'fault', refusal: REFUSAL } : { type: 'done', at: 0 });
  const outbox = phone.open();
  await outbox.add(act('a'));
  await outbox.add(act('b'));
  await phone.pass(600_000);
  assert.deepEqual(statuses(phone), ['refused', 'sent']);
});

test('a clock that is set back does not hold a tap for hours', async () => {
  const phone = new Phone();
  await phone.open().add(act('a', true));
  phone.now -= 7_200_000;
  phone.open().wake();
  await phone.pass(0);
  assert.deepEqual(statuses(phone), ['sent']);
});

test('the time of an act is corrected by the difference of the clocks, whenever that becomes known', () => {
  const action = { tappedAt: Date.parse('2026-06-18T03:20:00Z'), ahead: 7_200_000 } as Action;
  assert.equal(occurredAt(action, null), '2026-06-18T01:20:00.000Z');
  assert.equal(occurredAt({ ...action, ahead: null }, 3_600_000), '2026-06-18T02:20:00.000Z');
});

test('whatever is lost and whenever the app dies, each action is carried out once and in order', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = generator(seed);
    const phone = new Phone();
    const log: string[] = [];
    phone.send = async (action) => {
      const chance = random();
      if (chance < 0.25) return { type: 'again' };
      if (action.subject.startsWith('refused')) return { type: 'refused', refusal: REFUSAL };
      // The server remembers what it has carried out, and gives a repeat the first answer.
      if (!log.includes(action.id)) log.push(action.id);
      return chance < 0.5 ? { type: 'again' } : { type: 'done', at: phone.now };
    };
    const wanted: string[] = [];
    let life = new Life();
    let tabs = [phone.open(random, life), phone.open(random, life)];
    for (let number = 0; number < 12; number++) {
      const subject = `${random() < 0.15 ? 'refused' : 's'}${number}`;
      const added = await tabs[Math.floor(random() * 2)]!.add(act(subject, random() < 0.3));
      if (!subject.startsWith('refused')) wanted.push(added.id);
      if (random() < 0.4) await phone.pass(random() * 5000);
      if (random() < 0.3) {
        life.end();
        await settle();
        life = new Life();
        tabs = [phone.open(random, life), phone.open(random, life)];
        tabs.forEach((tab) => tab.wake());
      }
    }
    await phone.pass(3_600_000);
    assert.deepEqual(log, wanted, `seed ${seed}`);
    assert.ok(phone.actions.every(({ status, subject }) => status === (subject.startsWith('refused') ? 'refused' : 'sent')), `seed ${seed}`);
    life.end();
  }
});

test('a step that the server has is taken for done until the visit is read again', async () => {
  const phone = new Phone();
  const outbox = phone.open();
  const inspection = { id: 'a', status: 'ACKNOWLEDGED', enterprise: { location: null } } as unknown as Parameters<typeof toTask>[0];
  const readAt = phone.now;
  await phone.pass(1_000);
  await outbox.add({ ...act('a'), kind: 'depart' });
  await phone.pass(0);
  const [sent] = phone.actions;
  assert.equal(isPending(sent!, readAt), true);
  const before = toTask(inspection, readAt, phone.actions, null);
  assert.deepEqual([before.status, before.confirmed, before.unsent], ['EN_ROUTE', 3, 0]);
  phone.send = async () => ({ type: 'again' });
  await outbox.add(act('a'));
  await phone.pass(0);
  const next = toTask(inspection, readAt, phone.actions, null);
  assert.deepEqual([next.status, next.confirmed, next.unsent], ['ON_SITE', 3, 1]);
  // The status that was read afterwards is the truth, whatever it says.
  const later = toTask(inspection, phone.now + 1, [sent!], null);
  assert.deepEqual([later.status, later.confirmed, later.unsent], ['ACKNOWLEDGED', 2, 0]);
});
