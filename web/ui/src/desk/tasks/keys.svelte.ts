// Single keys of the desk. They rest in a text field, which Esc leaves with its text kept, and while a dialog is open.

export type Keys = { digit: (number: number) => void; Enter: () => boolean; Escape: () => void; letters: Record<string, () => unknown> };

const isText = (element: Element | null): boolean => element instanceof HTMLTextAreaElement || element instanceof HTMLSelectElement || (element instanceof HTMLInputElement && element.type !== 'radio');
const isButton = (element: Element | null): boolean => element instanceof HTMLButtonElement || element instanceof HTMLAnchorElement || element instanceof HTMLInputElement;

/** Listen while the component that calls this lives. */
export function onKeys({ digit, Enter, Escape, letters }: Keys): void {
  function press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector('dialog[open]')) return;
    const focused = document.activeElement;
    if (isText(focused)) {
      if (event.key === 'Escape') (focused as HTMLElement).blur();
      return;
    }
    const letter = letters[event.key.toLowerCase()];
    if (event.key === 'Enter') {
      // The button that has the focus is pressed; else the chosen row is opened.
      if (isButton(focused) || !Enter()) return;
    } else if (event.key === 'Escape') Escape();
    else if (/^[1-9]$/.test(event.key)) digit(Number(event.key));
    else if (letter) letter();
    else return;
    event.preventDefault();
  }
  $effect(() => {
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  });
}
