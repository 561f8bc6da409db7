// The operations that a first visit opens, each in its own tab. They are files, so that the server's tests run the same
// text.

import headlineFile from './examples/headline-file.graphql?raw';
import liveInspections from './examples/live-inspections.graphql?raw';
import openingScene from './examples/opening-scene.graphql?raw';
import pageOfHazards from './examples/page-of-hazards.graphql?raw';

export const examples = [{ query: headlineFile }, { query: openingScene }, { query: pageOfHazards }, { query: liveInspections }];
