"""An activation function examined on its own, by what it does: before any training, without a model.

Facts only: the rules judge them, and the report shows them. Nothing here loads TensorFlow, pandas or matplotlib before
it is called, so a profile kept in a run file can be read and judged without them (`FunctionProfile.from_dict`).

`profiling` measures (through `calling`, which finds out how a strange function wants to be called and keeps it from
harming anybody, and `curve`, which finds its shape), `facts` holds what was seen as frozen records.
"""
