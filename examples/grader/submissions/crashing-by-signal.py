import os
import signal

print("so far so good", flush=True)
os.kill(os.getpid(), signal.SIGSEGV)
