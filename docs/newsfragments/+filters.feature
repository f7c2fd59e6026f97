Filters stand between two adapters of one medium, named in a route's ``through``;
``docs/examples/digits`` is a distribution with one.
