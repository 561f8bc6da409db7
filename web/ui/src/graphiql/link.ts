// The operation that the page's address names, as links to GraphiQL usually do: `?query=`, and perhaps `&variables=`. It is
// opened in a tab and not run.

export type Link = { query: string; variables?: string };

export function linkedOperation(search: string): Link | undefined {
  const given = new URLSearchParams(search);
  const query = given.get('query');
  if (query === null) return undefined;
  const variables = given.get('variables');
  return variables === null ? { query } : { query, variables };
}
