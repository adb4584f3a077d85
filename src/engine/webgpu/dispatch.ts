/// <reference types="@webgpu/types" />

/** Workgroups over two dimensions, where one has no room for so many. */
export function spread(workgroups: number, { limits }: Pick<GPUDevice, 'limits'>): [number, number] {
  const across = Math.min(workgroups, limits.maxComputeWorkgroupsPerDimension);
  return [across, Math.ceil(workgroups / across)];
}
