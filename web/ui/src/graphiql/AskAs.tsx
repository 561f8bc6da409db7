// The picker beside the tabs: the viewer in whose name the next operation runs.

import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useState, type ChangeEvent } from 'react';
import type { Viewer } from './viewers';

type Props = { viewers: Viewer[]; initial: Viewer | undefined; onChange: (viewer: Viewer | undefined) => void };

export function AskAs({ viewers, initial, onChange }: Props) {
  const [index, setIndex] = useState(initial ? viewers.indexOf(initial) : -1);
  const schema = useGraphiQL((state) => state.schema);
  const { introspect } = useGraphiQLActions();

  function choose(event: ChangeEvent<HTMLSelectElement>) {
    const chosen = Number(event.target.value);
    setIndex(chosen);
    onChange(viewers[chosen]);
    // All viewers who may read the schema see the same one, so it is fetched again only if it was refused before.
    if (!schema) void introspect();
  }

  return (
    <label className="ask-as">
      Ask as
      <select value={index} onChange={choose}>
        <option value={-1}>no token</option>
        {viewers.map((viewer, position) => (
          <option key={viewer.label} value={position}>
            {viewer.label}
          </option>
        ))}
      </select>
    </label>
  );
}
