import { LabIcon } from '@jupyterlab/ui-components';

import branchSvg from '../style/icons/branch.svg';
import commitSvg from '../style/icons/commit.svg';
import dvmountSvg from '../style/icons/dvmount.svg';
import jobSvg from '../style/icons/job.svg';
import mountSvg from '../style/icons/mount.svg';
import pauseSvg from '../style/icons/pause.svg';
import pipelineSvg from '../style/icons/pipeline.svg';
import resumeSvg from '../style/icons/resume.svg';
import unmountSvg from '../style/icons/unmount.svg';

export const dvmountIcon = new LabIcon({ name: 'jupyter-dvmount:panel', svgstr: dvmountSvg });
export const branchIcon = new LabIcon({ name: 'jupyter-dvmount:branch', svgstr: branchSvg });
export const commitIcon = new LabIcon({ name: 'jupyter-dvmount:commit', svgstr: commitSvg });
export const mountIcon = new LabIcon({ name: 'jupyter-dvmount:mount', svgstr: mountSvg });
export const unmountIcon = new LabIcon({ name: 'jupyter-dvmount:unmount', svgstr: unmountSvg });
export const pipelineIcon = new LabIcon({ name: 'jupyter-dvmount:pipeline', svgstr: pipelineSvg });
export const jobIcon = new LabIcon({ name: 'jupyter-dvmount:job', svgstr: jobSvg });
export const pauseIcon = new LabIcon({ name: 'jupyter-dvmount:pause', svgstr: pauseSvg });
export const resumeIcon = new LabIcon({ name: 'jupyter-dvmount:resume', svgstr: resumeSvg });
