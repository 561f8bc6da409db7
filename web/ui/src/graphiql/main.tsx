// GraphiQL for Huhang. Everything comes from the server itself: no CDN, and no font or script from elsewhere.

import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import './page.css';

import { explorerPlugin } from '@graphiql/plugin-explorer';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';
import { AskAs } from './AskAs';
import { examples } from './examples';
import { createFetcher } from './fetcher';
import { linkedOperation } from './link';
import { loadViewers, rememberedViewer, rememberViewer } from './viewers';

// The viewers are loaded first, because GraphiQL fetches the schema in a viewer's name as soon as it is mounted.
const { viewers, notice } = await loadViewers();
const initial = rememberedViewer(viewers);
let current = initial;

const fetcher = createFetcher(() => current?.token);
const plugins = [HISTORY_PLUGIN, explorerPlugin()];
const link = linkedOperation(location.search);
// A first visit opens these tabs; a later one opens its own again, with the linked operation in one of them.
const tabs = link ? [link, ...examples] : examples;

createRoot(document.getElementById('graphiql')!).render(
  <GraphiQL
    fetcher={fetcher}
    plugins={plugins}
    defaultTabs={tabs}
    initialQuery={link?.query}
    initialVariables={link?.variables}
    defaultEditorToolsVisibility={link?.variables ? 'variables' : false}
  >
    <GraphiQL.Logo>
      {viewers.length > 0 && (
        <AskAs
          viewers={viewers}
          initial={initial}
          onChange={(viewer) => {
            current = viewer;
            rememberViewer(viewer);
          }}
        />
      )}
      <a className="house" href="/docs/">Documents</a>
      <a className="house" href="/">Huhang 护航</a>
    </GraphiQL.Logo>
    <GraphiQL.Footer>
      {notice && (
        <p className="notice" role="note">
          {navigator.language.startsWith('zh') ? notice.zh : notice.en}
        </p>
      )}
    </GraphiQL.Footer>
  </GraphiQL>,
);
