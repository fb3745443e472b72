"""What a network is: the frozen graph of every stage, the record of an operator, fixed point and bit packing."""
