"""Operations compiled to plans: the same answers as graphql-core's, from a handful of statements."""
