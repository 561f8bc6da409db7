// Times as people type them: on the clock of the district.

/** The offset of a zone from UTC at a moment, as +08:00. */
function offset(zone: string, at: number): string {
  const parts = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' }).formatToParts(at);
  return parts.find((part) => part.type === 'timeZoneName')!.value.slice('GMT'.length) || '+00:00';
}

/** A time of the zone's clock, as `2026-06-15T12:00`, with its offset: `2026-06-15T12:00:00+08:00`. */
export function withOffset(local: string, zone: string): string {
  const whole = local.length === 16 ? `${local}:00` : local;
  // The offset at nearly this moment; where the clocks change within these hours, that at the moment itself.
  const near = offset(zone, Date.parse(`${whole}Z`));
  return whole + offset(zone, Date.parse(whole + near));
}
