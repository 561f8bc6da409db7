// The viewers of the picker. In demo mode the server lists them with their tokens; otherwise the list is empty.

export type Viewer = { label: string; token: string };

/** What a demo tells people, by language; null outside demo mode. */
export type Notice = { zh: string; en: string } | null;

const CHOICE = 'huhang:ask-as';

export async function loadViewers(): Promise<{ viewers: Viewer[]; notice: Notice }> {
  try {
    const response = await fetch('/graphiql/viewers.json');
    if (!response.ok) return { viewers: [], notice: null };
    return (await response.json()) as { viewers: Viewer[]; notice: Notice };
  } catch {
    // GraphiQL works without the list: a token can be typed under Headers.
    return { viewers: [], notice: null };
  }
}

// The label is stored and not the token, which changes when the server restarts. It is stored for this tab only, so that
// two tabs can show what two viewers see. The first visit starts as the first viewer, who sees everything, so that the
// examples have data.
export function rememberedViewer(viewers: Viewer[]): Viewer | undefined {
  const label = sessionStorage.getItem(CHOICE);
  return label === null ? viewers[0] : viewers.find((viewer) => viewer.label === label);
}

export function rememberViewer(viewer: Viewer | undefined): void {
  sessionStorage.setItem(CHOICE, viewer?.label ?? '');
}
