// The service worker of the page, and new versions of it. One is taken when nothing can be lost: drafts are stored with every
// change, so that is when the page goes out of sight, or when a person asks for it. But taking a photograph puts the page out
// of sight too, and the picture comes back to the page that asked for it.

let stale = false;
let waiting = $state.raw<ServiceWorker | null>(null);

/** Why the page cannot open without a network; null if it can. */
function obstacle(): 'INSECURE' | 'UNSUPPORTED' | null {
  if (!isSecureContext) return 'INSECURE';
  return 'serviceWorker' in navigator && 'indexedDB' in window && !!navigator.locks ? null : 'UNSUPPORTED';
}

export const updates = {
  get ready(): boolean {
    return waiting !== null;
  },

  obstacle: obstacle(),

  /** An app with a browser of its own inside, such as WeChat, which forgets pages and hides "Add to home screen". */
  embedded: /MicroMessenger|DingTalk|Weibo|QQ\//i.test(navigator.userAgent),

  /** An iPhone or iPad where the page is not on the home screen: it erases what is stored after seven days without use. */
  forgetful: /iPhone|iPad/.test(navigator.userAgent) && !matchMedia('(display-mode: standalone)').matches,

  start(): void {
    if (this.obstacle !== null) return;
    const had = navigator.serviceWorker.controller !== null;
    navigator.serviceWorker.addEventListener('controllerchange', () => {
      stale = had;
      reload();
    });
    void register();
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'hidden' && !takesPhotos()) this.use();
      reload();
    });
    // Another tab has taken the new version while this view took photographs. The next view is drawn after this event.
    addEventListener('hashchange', () => setTimeout(reload));
  },

  /** Load the new version, if there is one. */
  use(): void {
    waiting?.postMessage('use');
    waiting = null;
  },
};

const takesPhotos = (): boolean => document.querySelector('input[type="file"]') !== null;

function reload(): void {
  if (stale && !takesPhotos()) location.reload();
}

async function register(): Promise<void> {
  try {
    const registration = await navigator.serviceWorker.register('/field/service-worker.js', { scope: '/field/' });
    const look = (): void => {
      if (registration.waiting && navigator.serviceWorker.controller) waiting = registration.waiting;
    };
    look();
    registration.addEventListener('updatefound', () => registration.installing?.addEventListener('statechange', look));
  } catch {
    // Without a network it cannot be looked for; the one of before goes on.
  }
}
