// A table as a file for spreadsheet programs: all rows that match, up to a limit.

import { sendFiles } from '../imports/send.ts';
import type { Column, Page, Paging, Row, Value } from './registers.ts';
import { spreadsheetMoment } from './spreadsheet-moment.ts';

/** Rows that are read at once for an export: as many as the table shows, whose cost the server allows with every filter. */
const PAGE = 50;
/** The most rows of a file; the server takes no more for a workbook. */
export const ROWS_MAXIMUM = 100_000;
/** A spreadsheet program takes a text that begins so for a formula; an apostrophe in front makes it a text. */
const FORMULA = /^\s*[=+\-@\t\r＝＋－＠]/;

export type Table = { columns: Column<Row>[]; rows: Value[][]; total: number };

/**
 * All rows that match, or the first ones of too many. Reads page by page and calls `progress` with the number of rows;
 * throws what a page throws, so a part is never taken for the whole.
 */
export async function readTable(
  columns: Column<Row>[], read: (paging: Paging) => Promise<Page>, progress: (rows: number) => void, signal: AbortSignal,
  most = ROWS_MAXIMUM,
): Promise<Table> {
  const rows: Value[][] = [];
  let after: string | null = null;
  let total = 0;
  do {
    const first = Math.min(PAGE, most - rows.length);
    const page: Page = await read({ first, ...(after === null ? {} : { after }) });
    signal.throwIfAborted();
    rows.push(...page.rows.map((row) => columns.map((column) => column.value(row))));
    total = page.total;
    progress(rows.length);
    after = page.next;
  } while (after !== null && rows.length < most);
  return { columns, rows, total };
}

export function cell(value: Value): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  if (value instanceof Date) return spreadsheetMoment(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const line = (values: Value[]): string => `${values.map(cell).join(',')}\r\n`;

/** CSV in UTF-8, with the byte order mark by which Excel knows the encoding. */
export function csvOf(header: string[], rows: Value[][]): Blob {
  return new Blob(['\ufeff', line(header), ...rows.map(line)], { type: 'text/csv;charset=utf-8' });
}

/** A workbook, which the server makes of the rows. Its texts are never formulas, and its times are times. */
export async function xlsxOf(title: string, table: Table, signal: AbortSignal): Promise<Blob> {
  const times = table.columns.map((_, place) => table.rows.some((row) => row[place] instanceof Date));
  const plain = (value: Value): string | number | null => (value instanceof Date ? spreadsheetMoment(value).replace(' ', 'T') : value);
  const rows = new File(table.rows.map((row) => `${JSON.stringify(row.map(plain))}\n`), 'rows');
  const columns = table.columns.map((column, place) => ({ name: column.name(), times: times[place] }));
  return (await sendFiles('workbook', { title, columns }, [rows], signal)).blob();
}

export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has begun to read it when the click has been handled.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
