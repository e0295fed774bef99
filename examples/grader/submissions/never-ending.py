print("thinking", flush=True)
while True:
    pass
