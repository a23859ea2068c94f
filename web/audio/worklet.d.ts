// The names of AudioWorkletGlobalScope (Web Audio API, section 1.32), which lib.dom.d.ts leaves out.

declare class AudioWorkletProcessor {
  readonly port: MessagePort;
  constructor(options?: { processorOptions?: unknown });
}

declare function registerProcessor(name: string, processor: new (options: any) => AudioWorkletProcessor): void;

/** The number of the first sample of the block that is being processed. */
declare const currentFrame: number;
