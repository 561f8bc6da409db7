// The operations a first visit opens, each in a tab of its own. They are files rather than strings so that the tests
// of the server can run the very same text.

import headlineFile from './examples/headline-file.graphql?raw';
import liveInspections from './examples/live-inspections.graphql?raw';
import openingScene from './examples/opening-scene.graphql?raw';
import pageOfHazards from './examples/page-of-hazards.graphql?raw';

export const examples = [{ query: headlineFile }, { query: openingScene }, { query: pageOfHazards }, { query: liveInspections }];
