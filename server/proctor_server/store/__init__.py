"""What Proctor keeps in Redis, and the only code that reads and writes it.

keys: names and lifetimes. scripts: the Lua that makes each change atomic. problems, batches:
the API's side (asyncio). chunks: the worker's side (blocking). No redis exception leaves this
package on the API's side.
"""
