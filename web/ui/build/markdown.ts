// Turns one of the repository's Markdown documents into HTML.

import GithubSlugger from 'github-slugger';
import hljs from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import graphql from 'highlight.js/lib/languages/graphql';
import ini from 'highlight.js/lib/languages/ini';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import nginx from 'highlight.js/lib/languages/nginx';
import python from 'highlight.js/lib/languages/python';
import typescript from 'highlight.js/lib/languages/typescript';
import MarkdownIt, { type Token } from 'markdown-it';

import type { Heading } from '../src/docs/types.ts';

const LANGUAGES = { sh: bash, graphql, toml: ini, ini, js: javascript, json, nginx, python, ts: typescript };
for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);

export type Rendered = {
  html: string;
  headings: Heading[];
  /** The text of the first paragraph. */
  summary: string;
};

/** What becomes of a link's or a picture's target. Without `href` it leads nowhere here, and `file` names it instead. */
export type Target = { href: string } | { file: string };

/** `target` resolves what the document links to. Throws an Error for HTML other than comments, which are dropped. */
export function render(text: string, target: (address: string) => Target): Rendered {
  const markdown = new MarkdownIt({ html: true, highlight });
  const tokens = markdown.parse(text, {});
  const headings = nameHeadings(tokens);
  for (const token of everyToken(tokens)) {
    if (token.type === 'html_block' || token.type === 'html_inline') {
      const rest = token.content.replace(/<!--.*?-->/gs, '').trim();
      if (rest !== '') throw new Error(`HTML in a document: ${rest}`);
      token.content = '';
    }
  }
  for (const token of tokens) if (token.children) token.children = resolveLinks(token.children, target);
  labelCells(tokens);
  const first = tokens.findIndex((token) => token.type === 'paragraph_open');
  const summary = first < 0 ? '' : plainText(tokens[first + 1]!);
  return { html: markdown.renderer.render(tokens, markdown.options, {}), headings, summary };
}

function highlight(code: string, info: string): string {
  const language = info.split(' ')[0] ?? '';
  // An empty result lets markdown-it escape the code itself.
  return hljs.getLanguage(language) ? hljs.highlight(code, { language }).value : '';
}

function* everyToken(tokens: Token[]): Generator<Token> {
  for (const token of tokens) {
    yield token;
    if (token.children) yield* everyToken(token.children);
  }
}

function plainText(inline: Token): string {
  return (inline.children ?? [])
    .map((child) => (child.type === 'softbreak' ? ' ' : child.type.startsWith('html') ? '' : child.content))
    .join('');
}

/** Give each heading the fragment that GitHub gives it. */
function nameHeadings(tokens: Token[]): Heading[] {
  const slugger = new GithubSlugger();
  return tokens.flatMap((token, index) => {
    if (token.type !== 'heading_open') return [];
    const text = plainText(tokens[index + 1]!);
    const id = slugger.slug(text);
    token.attrSet('id', id);
    return [{ id, text, level: Number(token.tag.slice(1)) }];
  });
}

/** A link to a file that no page shows becomes its text, and its path after it where the text does not say it. */
function resolveLinks(children: Token[], target: (address: string) => Target): Token[] {
  const open: ({ file: string; from: number } | null)[] = [];
  const result: Token[] = [];
  for (const token of children) {
    if (token.type === 'link_open') {
      const resolved = target(String(token.attrGet('href')));
      open.push('file' in resolved ? { file: resolved.file, from: result.length } : null);
      if ('file' in resolved) continue;
      token.attrSet('href', resolved.href);
      if (/^https?:/.test(resolved.href)) token.attrSet('rel', 'external noreferrer');
    } else if (token.type === 'link_close') {
      const file = open.pop();
      if (file) {
        const said = result.slice(file.from).map((each) => each.content).join('');
        if (!said.includes('.') || !file.file.endsWith(said)) result.push(...pathTokens(file.file, token));
        continue;
      }
    } else if (token.type === 'image') {
      const resolved = target(String(token.attrGet('src')));
      if ('file' in resolved) throw new Error(`There is no picture ${resolved.file}`);
      token.attrSet('src', resolved.href);
    }
    result.push(token);
  }
  return result;
}

function pathTokens(file: string, like: Token): Token[] {
  const kind = like.constructor as new (type: string, tag: string, nesting: -1 | 0 | 1) => Token;
  const before = new kind('text', '', 0), code = new kind('code_inline', 'code', 0), after = new kind('text', '', 0);
  before.content = ' (';
  code.content = file;
  after.content = ')';
  return [before, code, after];
}

/** On a narrow screen the cells of a row stand below each other, each with the head of its column. */
function labelCells(tokens: Token[]): void {
  let labels: string[] = [];
  let column = 0;
  tokens.forEach((token, index) => {
    if (token.type === 'table_open') labels = [];
    if (token.type === 'tr_open') column = 0;
    if (token.type === 'th_open') labels.push(plainText(tokens[index + 1]!));
    if (token.type === 'td_open') token.attrSet('data-label', labels[column++] ?? '');
  });
}
