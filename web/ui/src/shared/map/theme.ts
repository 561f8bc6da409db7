// The tokens that the map draws with, and the size of a CSS pixel of the design on this screen.

import type { RiskGrade } from '#graph';

export type Grade = RiskGrade | null;

export type Theme = {
  /** Device-independent pixels for one pixel of a 1920 × 1080 screen. */
  unit: number;
  font: string;
  ground: string; land: string; zone: string; line: string; water: string; label: string;
  text: string; quiet: string; panel: string; raised: string; control: string;
  fill: Record<RiskGrade | 'NONE', string>;
  edge: Record<RiskGrade | 'NONE', string>;
  /** Numbers on the hues of risk. */
  onRisk: string;
  stale: boolean;
};

export function readTheme(): Theme {
  const root = document.documentElement;
  const style = getComputedStyle(root);
  const token = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const grades = (suffix: string): Theme['fill'] => ({
    RED: token(`risk-red${suffix}`), ORANGE: token(`risk-orange${suffix}`), YELLOW: token(`risk-yellow${suffix}`),
    BLUE: token(`risk-blue${suffix}`), NONE: token('fg-3'),
  });
  return {
    unit: parseFloat(style.fontSize) / 16,
    font: token('font'),
    ground: token('map-ground'), land: token('map-land'), zone: token('map-zone'), line: token('map-line'), water: token('map-water'), label: token('map-label'),
    text: token('fg'), quiet: token('fg-2'), panel: token('panel'), raised: token('raised'), control: token('control'),
    fill: grades(''),
    edge: grades('-edge'),
    onRisk: token(root.dataset.theme === 'light' ? 'fg' : 'bg'),
    stale: root.hasAttribute('data-stale'),
  };
}
