"""How an instance comes into being on this host. One module per way; `registry` lists them."""
