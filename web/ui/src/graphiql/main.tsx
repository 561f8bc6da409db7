// GraphiQL for Huhang, served whole from its own origin: no content delivery network, no font or script from elsewhere.

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
import { loadViewers, rememberedViewer, rememberViewer } from './viewers';

// The viewers come first, for GraphiQL asks for the schema as soon as it is mounted, and asks as somebody.
const viewers = await loadViewers();
const initial = rememberedViewer(viewers);
let current = initial;

const fetcher = createFetcher(() => current?.token);
const plugins = [HISTORY_PLUGIN, explorerPlugin()];

createRoot(document.getElementById('graphiql')!).render(
  <GraphiQL fetcher={fetcher} plugins={plugins} defaultTabs={examples} defaultEditorToolsVisibility={false}>
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
      <span className="house">Huhang 护航</span>
    </GraphiQL.Logo>
  </GraphiQL>,
);
