// Who may be asked as. The server lists viewers with their tokens where it runs as a demo, and nobody elsewhere.

export type Viewer = { label: string; token: string };

const CHOICE = 'huhang:ask-as';

export async function loadViewers(): Promise<Viewer[]> {
  try {
    const response = await fetch('/graphiql/viewers.json');
    if (!response.ok) return [];
    const { viewers } = (await response.json()) as { viewers?: Viewer[] };
    return viewers ?? [];
  } catch {
    // Without the list the page is still a GraphiQL: a token can be typed under Headers.
    return [];
  }
}

// The label is kept and not the token, which is another one after the server has been started again. It is kept for the
// tab alone, so that two tabs can show side by side what two viewers see. Whoever has not chosen yet is the first listed,
// who sees everything: the examples are full then.
export function rememberedViewer(viewers: Viewer[]): Viewer | undefined {
  const label = sessionStorage.getItem(CHOICE);
  return label === null ? viewers[0] : viewers.find((viewer) => viewer.label === label);
}

export function rememberViewer(viewer: Viewer | undefined): void {
  sessionStorage.setItem(CHOICE, viewer?.label ?? '');
}
