"""What clients see: graph types, inputs and results, and how an operation is executed."""
